package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"dropcap"
)

// maxStream limits an archive. No honest container holds as much, and the reader does not keep it.
const maxStream = 256 << 30

// Export streams the container's whole file tree as a tar, running or not: the image's files and
// what the container wrote, with their security.capability attributes as PAX records (moby
// pkg/archive, ReadSecurityXattrToTarHeader), but without its mounts. The timeout of Options
// applies to each wait, not to the whole. The error is dropcap.ErrNotFound if there is no such
// container. The caller must close the stream.
func (c *Client) Export(ctx context.Context, id string) (io.ReadCloser, error) {
	return c.archive(ctx, id, "/export", nil)
}

// Archive streams one file or folder of a container as a tar, like Export but including mounts and
// volumes. Names begin with the last component of path. The error is dropcap.ErrNotFound if there
// is no such container or path.
func (c *Client) Archive(ctx context.Context, id, path string) (io.ReadCloser, error) {
	return c.archive(ctx, id, "/archive", url.Values{"path": {path}})
}

func (c *Client) archive(ctx context.Context, id, what string,
	query url.Values) (io.ReadCloser, error) {
	if !fullID().MatchString(id) {
		return nil, dropcap.Errorf(dropcap.CodeError, "", "cannot read the files of %q: %w",
			printable(id, 80), dropcap.ErrNotFound)
	}
	r := request{method: http.MethodGet, path: "/v" + c.engine.agreed + "/containers/" + id + what,
		query: query}
	s, err := c.stream(ctx, r)
	if statusOf(err) == http.StatusNotFound {
		return nil, dropcap.Errorf(dropcap.CodeError, "",
			"cannot read the files of container %s: %w", id, dropcap.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	s.idle, s.left = c.timeout, maxStream
	return s, nil
}

// stream is an answer that is read as it arrives. It ends without an error only where the engine
// ended it.
type stream struct {
	c      *Client
	r      request
	ctx    context.Context // the caller's
	cancel context.CancelFunc
	body   io.ReadCloser
	idle   time.Duration // how long a read may wait; 0 means for ever
	left   int64         // how many bytes may still come; 0 means no limit
}

// stream sends a request whose answer may take any time; its headers may not. An answer other than
// 200 is an error.
func (c *Client) stream(ctx context.Context, r request) (*stream, error) {
	own, cancel := context.WithCancel(ctx)
	late := time.AfterFunc(c.timeout, cancel)
	fail := func(err error) (*stream, error) {
		if !late.Stop() && ctx.Err() == nil {
			err = context.DeadlineExceeded
		}
		cancel()
		return nil, c.failed(ctx, r, err)
	}
	req, err := c.request(own, r)
	if err != nil {
		return fail(err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fail(err)
	}
	if resp.StatusCode != http.StatusOK {
		defer cancel()
		defer resp.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
		return nil, refusal(r, resp.StatusCode, body)
	}
	if !late.Stop() {
		resp.Body.Close()
		return fail(context.DeadlineExceeded)
	}
	return &stream{c: c, r: r, ctx: ctx, cancel: cancel, body: resp.Body}, nil
}

// Read waits for data within the bounds. The clock runs only while it waits, so the engine is not
// blamed for a slow reader.
func (s *stream) Read(p []byte) (int, error) {
	var late *time.Timer
	if s.idle > 0 {
		late = time.AfterFunc(s.idle, s.cancel)
	}
	n, err := s.body.Read(p)
	if late != nil && !late.Stop() && err != nil && s.ctx.Err() == nil {
		err = context.DeadlineExceeded
	}
	if s.left > 0 {
		if s.left -= int64(n); s.left <= 0 {
			return 0, unreadable(s.r, fmt.Errorf("it is larger than %d GiB", int64(maxStream)>>30))
		}
	}
	if err != nil && !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return n, s.c.failed(s.ctx, s.r, err)
	}
	return n, err
}

// Close ends the request.
func (s *stream) Close() error {
	s.cancel()
	return s.body.Close()
}
