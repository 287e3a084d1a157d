package docker

import (
	"context"
	"errors"
	"regexp"
	"sync"
)

// imageCache keeps the labels of images by id, each asked for once however many containers run it.
type imageCache struct {
	mu      sync.Mutex
	entries map[string]*answer[map[string]string]
}

type imageBody struct {
	Config struct{ Labels map[string]string }
}

var imageID = regexp.MustCompile(`^(sha256:)?[0-9a-f]{64}$`)

var errImage = errors.New("the image has no id")

// labels gives an image's labels. The error is not told further: an image that cannot be asked about makes its labels unbelieved.
func (i *imageCache) labels(ctx context.Context, c *Client, id string) (map[string]string, error) {
	if !imageID.MatchString(id) {
		return nil, errImage
	}
	i.mu.Lock()
	if i.entries == nil {
		i.entries = map[string]*answer[map[string]string]{}
	}
	if i.entries[id] == nil {
		i.entries[id] = &answer[map[string]string]{}
	}
	entry := i.entries[id]
	i.mu.Unlock()
	return entry.get(ctx, func(ctx context.Context) (map[string]string, error) {
		var b imageBody
		err := c.get(ctx, "/images/"+id+"/json", nil, maxOne, &b)
		return b.Config.Labels, err
	})
}
