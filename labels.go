package dropcap

// Labels are the labels of a container and of its image. The engine merges an image's labels into
// its containers', so the author of an image can set any label. Package owner decides which to
// trust; nothing else reads the values.
type Labels struct {
	Own   map[string]string // the container's labels, including those merged from the image
	Image map[string]string
	// false if the image could not be inspected: then the origin of a label is unknown
	ImageKnown bool
}
