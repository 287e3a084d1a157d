package dropcap

// Labels are what stands on a container, and what stands on its image. The engine merges an image's
// labels into its containers', so whoever builds an image can write any of them. Package owner
// decides which are believed; nothing else reads a value here.
type Labels struct {
	Own   map[string]string // the container's, the image's merged in
	Image map[string]string
	// false if the image could not be asked about: then nobody can tell who gave a label
	ImageKnown bool
}
