package recreate

import "strings"

// moved reports whether the name that the container was created from now means another image, or
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
	// A short id; a repository of the same name would take precedence.
	return len(ref) < 4 || !strings.HasPrefix(id, ref)
}

func (r *Recipe) imageGone() bool { return nothing(r.o.Image) }

// contains reports whether an engine's list has a reference as people write it: "nginx" is
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
	case digested: // the engine ignores a tag beside a digest
		if i := strings.LastIndex(repository, ":"); tagged && i >= 0 {
			repository = repository[:i]
		}
		return repository + "@" + digest
	case !tagged:
		return repository + ":latest"
	}
	return ref
}

// imageReference returns what to create from: the original name, or if that now means another
// image, the same image's digest.
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

// platform returns the container's platform for an engine with images of several (the containerd
// image store); else empty.
func (r *Recipe) platform() string {
	p := r.in.ImageManifestDescriptor.Platform
	if p == nil || p.OS == "" || p.Architecture == "" {
		return ""
	}
	return strings.TrimSuffix(p.OS+"/"+p.Architecture+"/"+p.Variant, "/")
}
