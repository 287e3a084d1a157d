package docker

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"

	"dropcap"
)

// Perform sends a request that changes something: the body unchanged, under the version that the
// call names, without a timeout. The result carries the engine's status and answer even if the
// engine refuses. A status of 0 means that no answer came, so that nobody knows whether it was
// done. Perform never sends a request twice.
func (c *Client) Perform(ctx context.Context, call dropcap.Call) (dropcap.Result, error) {
	version := call.API
	if version == "" {
		version = c.engine.agreed
	}
	r := request{method: call.Method, path: "/v" + version + call.Path, body: call.Body,
		max: maxOne}
	if len(call.Query) > 0 {
		r.query = url.Values{}
		for k, v := range call.Query {
			r.query.Set(k, v)
		}
	}
	if call.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, call.Timeout)
		defer cancel()
	}
	status, body, err := c.send(ctx, r)
	if err != nil {
		return dropcap.Result{}, err
	}
	result := dropcap.Result{Status: status, Body: body}
	if status/100 != 2 && !slices.Contains(call.Fine, status) {
		return result, refusal(r, status, body)
	}
	return result, nil
}

// Raw returns the engine's answer to a GET request as it is, under the agreed version. The path
// begins with "/containers/…". The error is dropcap.ErrNotFound if the object does not exist.
func (c *Client) Raw(ctx context.Context, path string, query url.Values) (json.RawMessage, error) {
	var body json.RawMessage
	err := c.get(ctx, path, query, maxOne, &body)
	return slices.Clone(body), err
}

// RawContainer returns the whole answer of GET /containers/ID/json.
func (c *Client) RawContainer(ctx context.Context, id string) (json.RawMessage, error) {
	if !fullID().MatchString(id) {
		return nil, dropcap.Errorf(dropcap.CodeError, "", "cannot inspect %q: %w",
			printable(id, 80), dropcap.ErrNotFound)
	}
	body, err := c.Raw(ctx, "/containers/"+id+"/json", nil)
	if err != nil {
		return nil, inspectError(id, err)
	}
	var b struct {
		ID string `json:"Id"`
	}
	if json.Unmarshal(body, &b) != nil || b.ID != id {
		return nil, unreadable(request{method: http.MethodGet, path: "/containers/" + id + "/json"},
			badID(b.ID))
	}
	return body, nil
}

// Sketch returns the part of GET /containers/ID/json that identifies the container and lists what
// it uses of the host and of others: Id, Name, Image, State, HostConfig and Mounts, as far as each
// is short enough to read. It succeeds whatever else the answer contains.
func (c *Client) Sketch(ctx context.Context, id string) (json.RawMessage, error) {
	if !fullID().MatchString(id) {
		return nil, dropcap.Errorf(dropcap.CodeError, "", "cannot inspect %q: %w",
			printable(id, 80), dropcap.ErrNotFound)
	}
	path := "/containers/" + id + "/json"
	var members map[string]json.RawMessage
	err := c.skim(ctx, path, nil, func(r io.Reader) (err error) {
		members, err = newSkimmer(r, "Id", "Name", "Image", "State", "HostConfig", "Mounts").
			object()
		return err
	})
	if err != nil {
		return nil, inspectError(id, err)
	}
	raw, err := json.Marshal(members)
	var b struct {
		ID string `json:"Id"`
	}
	if err != nil || json.Unmarshal(raw, &b) != nil || b.ID != id {
		return nil, unreadable(request{method: http.MethodGet, path: path}, badID(b.ID))
	}
	return raw, nil
}

// RawImage returns the whole answer of GET /images/ID/json; nil without an error if the image is
// gone.
func (c *Client) RawImage(ctx context.Context, id string) (json.RawMessage, error) {
	if !imageID().MatchString(id) {
		return nil, dropcap.Errorf(dropcap.CodeError, "",
			"cannot inspect the image %q: that is no id", printable(id, 80))
	}
	body, err := c.Raw(ctx, "/images/"+id+"/json", nil)
	if statusOf(err) == http.StatusNotFound {
		return nil, nil
	}
	return body, err
}

// RawNetwork returns the whole answer of GET /networks/ID; nil without an error if the network is
// gone.
func (c *Client) RawNetwork(ctx context.Context, idOrName string) (json.RawMessage, error) {
	if !anyName().MatchString(idOrName) {
		return nil, dropcap.Errorf(dropcap.CodeError, "",
			"cannot inspect the network %q: that is no name", printable(idOrName, 80))
	}
	body, err := c.Raw(ctx, "/networks/"+idOrName, nil)
	if statusOf(err) == http.StatusNotFound {
		return nil, nil
	}
	return body, err
}

// RawLayer returns the whole answer of GET /containers/ID/changes: what was written into the
// container's own layer; "null" if nothing was.
func (c *Client) RawLayer(ctx context.Context, id string) (json.RawMessage, error) {
	if !fullID().MatchString(id) {
		return nil, dropcap.Errorf(dropcap.CodeError, "", "cannot read the layer of %q: %w",
			printable(id, 80), dropcap.ErrNotFound)
	}
	var body json.RawMessage
	err := c.get(ctx, "/containers/"+id+"/changes", nil, maxList, &body)
	return slices.Clone(body), err
}
