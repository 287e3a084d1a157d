// Package containerd asks containerd where the layers of a container are, for engines that keep
// them in its image store (Docker 29's default). It asks where they are and changes nothing.
package containerd

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// mountsMethod is the snapshots service's unary call that returns how a snapshot would be mounted
// (containerd api/services/snapshots/v1/snapshots.proto).
const mountsMethod = "/containerd.services.snapshots.v1.Snapshots/Mounts"

// pluginsMethod is the introspection service's unary call that tells what containerd consists of
// (containerd api/services/introspection/v1/introspection.proto).
const pluginsMethod = "/containerd.services.introspection.v1.Introspection/Plugins"

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 1 << 20

// Store is one namespace of a containerd.
type Store struct {
	Address     string // the absolute path of its socket
	Namespace   string // Docker's is "moby"
	Snapshotter string // "overlayfs"
}

// Upper returns the folder of a snapshot's own layer. The key of a container is its id. Only an
// overlayfs snapshot has such a folder.
func (s Store) Upper(ctx context.Context, key string) (string, error) {
	options, err := s.mountOptions(ctx, key)
	if err != nil {
		return "", fmt.Errorf("ask containerd for the layer of %.12s: %w", key, err)
	}
	for _, o := range options {
		if upper, ok := strings.CutPrefix(o, "upperdir="); ok {
			return upper, nil
		}
	}
	return "", errors.New("it is no overlay")
}

// Root returns the folder below which the snapshotter keeps all layers.
func (s Store) Root(ctx context.Context) (string, error) {
	root, err := s.exported(ctx, "root")
	if err != nil {
		return "", fmt.Errorf("ask containerd where its layers are: %w", err)
	}
	return root, nil
}

// exported is what the snapshotter tells of itself under a name.
func (s Store) exported(ctx context.Context, name string) (string, error) {
	var m []byte
	m = protowire.AppendTag(m, 1, protowire.BytesType)
	m = protowire.AppendString(m, "type==io.containerd.snapshotter.v1,id=="+s.Snapshotter)
	answer, err := s.call(ctx, pluginsMethod, m)
	if err != nil {
		return "", err
	}
	plugins, err := fields(answer, 1)
	if err != nil || len(plugins) != 1 {
		return "", errors.Join(fmt.Errorf("the answer is about %d plugins", len(plugins)), err)
	}
	exports, err := fields(plugins[0], 5) // a map: entries of key and value
	if err != nil {
		return "", err
	}
	for _, e := range exports {
		key, err := fields(e, 1)
		value, err2 := fields(e, 2)
		if err == nil && err2 == nil && len(key) == 1 && len(value) == 1 && string(key[0]) == name {
			return string(value[0]), nil
		}
	}
	return "", fmt.Errorf("it does not tell its %s", name)
}

func (s Store) mountOptions(ctx context.Context, key string) ([]string, error) {
	var m []byte
	m = protowire.AppendTag(m, 1, protowire.BytesType)
	m = protowire.AppendString(m, s.Snapshotter)
	m = protowire.AppendTag(m, 2, protowire.BytesType)
	m = protowire.AppendString(m, key)
	answer, err := s.call(ctx, mountsMethod, m)
	if err != nil {
		return nil, err
	}
	mounts, err := fields(answer, 1)
	if err != nil || len(mounts) != 1 {
		return nil, errors.Join(errors.New("the answer is not one mount"), err)
	}
	options, err := fields(mounts[0], 4)
	out := make([]string, len(options))
	for i, o := range options {
		out[i] = string(o)
	}
	return out, err
}

// fields returns the values of one repeated field of a message.
func fields(message []byte, number protowire.Number) ([][]byte, error) {
	var list [][]byte
	for len(message) > 0 {
		n, kind, length := protowire.ConsumeTag(message)
		if length < 0 {
			return nil, protowire.ParseError(length)
		}
		message = message[length:]
		if n == number && kind == protowire.BytesType {
			value, length := protowire.ConsumeBytes(message)
			if length < 0 {
				return nil, protowire.ParseError(length)
			}
			list, message = append(list, value), message[length:]
			continue
		}
		if length = protowire.ConsumeFieldValue(n, kind, message); length < 0 {
			return nil, protowire.ParseError(length)
		}
		message = message[length:]
	}
	return list, nil
}

// call makes one unary gRPC call: a message after five bytes of flag and length, in HTTP/2 without
// TLS, with the status in the trailers (grpc doc/PROTOCOL-HTTP2.md).
func (s Store) call(ctx context.Context, method string, message []byte) ([]byte, error) {
	t := &http.Transport{
		Protocols: new(http.Protocols),
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", s.Address)
		},
	}
	t.Protocols.SetUnencryptedHTTP2(true)
	defer t.CloseIdleConnections()
	framed := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	body := bytes.NewReader(append(framed, message...))
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://containerd"+method, body)
	if err != nil {
		return nil, err
	}
	q.Header = http.Header{
		"Content-Type": {"application/grpc+proto"}, "Te": {"trailers"},
		"Containerd-Namespace": {s.Namespace},
	}
	r, err := (&http.Client{Transport: t}).Do(q)
	if err != nil {
		return nil, unwrapped(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if err := status(r); err != nil {
		return nil, err
	}
	if len(b) < 5 || b[0] != 0 || uint64(len(b)-5) != uint64(binary.BigEndian.Uint32(b[1:])) {
		return nil, errors.New("the answer is no message")
	}
	return b[5:], nil
}

// status returns the error of a call: from the trailers, or from the header of an answer without a
// body.
func status(r *http.Response) error {
	code, text := r.Trailer.Get("Grpc-Status"), r.Trailer.Get("Grpc-Message")
	if code == "" {
		code, text = r.Header.Get("Grpc-Status"), r.Header.Get("Grpc-Message")
	}
	if code == "0" {
		return nil
	}
	if plain, err := url.PathUnescape(text); err == nil {
		text = plain
	}
	return fmt.Errorf("it answers %s, status %q: %.200q", r.Status, code, text)
}

func unwrapped(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
