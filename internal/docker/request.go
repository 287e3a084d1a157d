package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// Bounds of answers. A container's description is about 10 KiB; a list is about 2 KiB for each.
const (
	maxOne  = 8 << 20
	maxList = 64 << 20
)

// Do sends a request under the agreed API version and gives the status and the whole body, whatever the status is. The path begins with
// "/containers/…"; a body is sent as JSON. The timeout of Options counts unless ctx has a deadline of its own.
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, body []byte) (status int, answer []byte, err error) {
	return c.send(ctx, request{method: method, path: "/v" + c.engine.agreed + path, query: query, body: body, max: maxList})
}

type request struct {
	method, path string
	query        url.Values
	body         []byte
	max          int64
}

func (r request) String() string { return r.method + " " + r.path }

// send does one request and reads its answer within the bounds.
func (c *Client) send(ctx context.Context, r request) (int, []byte, error) {
	status, _, body, err := c.exchange(ctx, r, new(bytes.Buffer))
	return status, body, err
}

func (c *Client) exchange(ctx context.Context, r request, buf *bytes.Buffer) (int, http.Header, []byte, error) {
	limited := ctx
	if _, own := ctx.Deadline(); !own {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	req, err := c.request(limited, r)
	if err != nil {
		return 0, nil, nil, c.failed(ctx, r, err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, nil, c.failed(ctx, r, err)
	}
	defer resp.Body.Close()
	n, err := buf.ReadFrom(io.LimitReader(resp.Body, r.max+1))
	switch {
	case err != nil:
		return 0, nil, nil, c.failed(ctx, r, fmt.Errorf("read body: %w", err))
	case n > r.max:
		return 0, nil, nil, unreadable(r, fmt.Errorf("it is larger than %d MiB", r.max>>20))
	}
	return resp.StatusCode, resp.Header, buf.Bytes(), nil
}

func (c *Client) request(ctx context.Context, r request) (*http.Request, error) {
	target := c.base + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, err
	}
	for k, v := range c.headers {
		req.Header.Set(k, v)
	}
	if c.userAgent != "" {
		req.Header.Set("User-Agent", c.userAgent)
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// buffers keep a pass over many containers from allocating a body for each; what is decoded never points into them.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// get asks for a path under the agreed version and decodes the answer into v.
func (c *Client) get(ctx context.Context, path string, query url.Values, max int64, v any) error {
	return c.getAt(ctx, "/v"+c.engine.agreed+path, query, max, v)
}

func (c *Client) getAt(ctx context.Context, path string, query url.Values, max int64, v any) error {
	r := request{method: http.MethodGet, path: path, query: query, max: max}
	buf := buffers.Get().(*bytes.Buffer)
	defer func() {
		if buf.Cap() <= 1<<20 { // one giant must not stay in memory
			buf.Reset()
			buffers.Put(buf)
		}
	}()
	status, _, body, err := c.exchange(ctx, r, buf)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return refused(r, status, body)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return unreadable(r, jsonError(err))
	}
	return nil
}

// jsonError says what is wrong without repeating what was sent.
func jsonError(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Errorf("%s is not what it should be", strings.TrimPrefix(wrong.Field, "."))
	}
	return err
}
