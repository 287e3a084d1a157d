package aws

import (
	"context"
	"io"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// readBodies makes net/http read each request's body instead of calling its WriteTo. smithy-go (to
// v1.28.8) closes a body as soon as the answer arrives, and WriteTo then returns io.EOF. net/http
// probes a body of known length for more data; if the answer has arrived by then, net/http takes
// that EOF for a failed write and closes the connection, with the answer still in it.
func readBodies(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("dropcap:readBodies",
		func(ctx context.Context, in middleware.DeserializeInput,
			next middleware.DeserializeHandler) (
			middleware.DeserializeOutput, middleware.Metadata, error,
		) {
			if req, ok := in.Request.(*smithyhttp.Request); ok {
				// A body that cannot seek is the SDK's own, in chunks, and has no WriteTo.
				if body, ok := req.GetStream().(io.ReadSeeker); ok {
					plain, err := req.SetStream(struct{ io.ReadSeeker }{body})
					if err != nil {
						return middleware.DeserializeOutput{}, middleware.Metadata{}, err
					}
					in.Request = plain
				}
			}
			return next.HandleDeserialize(ctx, in)
		}), middleware.After)
}
