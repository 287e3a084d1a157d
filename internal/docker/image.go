package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"sync"

	"dropcap"
)

// imageCache keeps the labels of images by id. Each image is asked for once, however many
// containers run it.
type imageCache struct {
	mu      sync.Mutex
	entries map[string]*shared[map[string]string]
}

// labelsOf returns the container's labels and those of its image. It asks about the image only if
// there are any.
func (c *Client) labelsOf(ctx context.Context, b containerBody) dropcap.Labels {
	l := dropcap.Labels{Own: b.Config.Labels, ImageKnown: len(b.Config.Labels) == 0}
	if l.ImageKnown {
		return l
	}
	var err error
	l.Image, err = c.images.labels(ctx, c, b.Image)
	l.ImageKnown = err == nil
	return l
}

// Labels returns the labels in a container's inspect answer and those of its image.
func (c *Client) Labels(ctx context.Context, inspect json.RawMessage) (dropcap.Labels, error) {
	var b containerBody
	if err := json.Unmarshal(inspect, &b); err != nil {
		return dropcap.Labels{}, fmt.Errorf("cannot read the labels of a container: %w",
			jsonError(err))
	}
	return c.labelsOf(ctx, b), ctx.Err()
}

type imageBody struct {
	Config struct{ Labels map[string]string }
}

var imageID = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(sha256:)?[0-9a-f]{64}$`)
})

var errImage = errors.New("the image has no id")

// labels returns an image's labels. On any error the container's labels are not believed.
func (i *imageCache) labels(ctx context.Context, c *Client, id string) (map[string]string, error) {
	if !imageID().MatchString(id) {
		return nil, errImage
	}
	i.mu.Lock()
	if i.entries == nil {
		i.entries = map[string]*shared[map[string]string]{}
	}
	if i.entries[id] == nil {
		i.entries[id] = &shared[map[string]string]{}
	}
	entry := i.entries[id]
	i.mu.Unlock()
	return entry.get(ctx, func(ctx context.Context) (map[string]string, error) {
		var b imageBody
		err := c.get(ctx, "/images/"+id+"/json", nil, maxOne, &b)
		return b.Config.Labels, err
	})
}
