package recreate

import "strings"

// moved tells whether the name that the container was made from means another image by now, or
// none.
func (r *Recipe) moved() bool {
	if r.imageGone() {
		return false
	}
	ref := r.config.Image
	id := strings.TrimPrefix(r.in.Image, "sha256:")
	if strings.HasPrefix(ref, "sha256:") || contains(r.image.RepoTags, ref) ||
		contains(r.image.RepoDigests, ref) {
		return false
	}
	// A short id; a repository of the same name would have been taken first.
	return len(ref) < 4 || !strings.HasPrefix(id, ref)
}

func (r *Recipe) imageGone() bool { return nothing(r.o.Image) }

// contains tells whether a list of the engine's has a reference as a person writes it: "nginx" is
// docker.io/library/nginx:latest.
func contains(list []string, ref string) bool {
	for _, have := range list {
		if familiar(have) == familiar(ref) {
			return true
		}
	}
	return false
}

func familiar(ref string) string {
	for _, prefix := range []string{"index.docker.io/", "docker.io/", "library/"} {
		ref = strings.TrimPrefix(ref, prefix)
	}
	repository, digest, digested := strings.Cut(ref, "@")
	tagged := strings.Contains(repository[strings.LastIndex(repository, "/")+1:], ":")
	switch {
	case digested: // a tag beside a digest means nothing to the engine
		if i := strings.LastIndex(repository, ":"); tagged && i >= 0 {
			repository = repository[:i]
		}
		return repository + "@" + digest
	case !tagged:
		return repository + ":latest"
	}
	return ref
}

// imageReference is what to create from: the name as it was given, or if that means another image
// now, the same image by its digest.
func (r *Recipe) imageReference() string {
	if !r.moved() {
		return r.config.Image
	}
	repository, _, _ := strings.Cut(familiar(r.config.Image), "@")
	if i := strings.LastIndex(repository, ":"); i > strings.LastIndex(repository, "/") {
		repository = repository[:i]
	}
	for _, digest := range r.image.RepoDigests {
		if name, _, _ := strings.Cut(familiar(digest), "@"); name == repository {
			return digest
		}
	}
	return r.in.Image
}

// platform is the container's, for an engine that keeps images of several (the containerd image
// store); empty elsewhere.
func (r *Recipe) platform() string {
	p := r.in.ImageManifestDescriptor.Platform
	if p == nil || p.OS == "" || p.Architecture == "" {
		return ""
	}
	return strings.TrimSuffix(p.OS+"/"+p.Architecture+"/"+p.Variant, "/")
}
