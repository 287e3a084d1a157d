package vm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"dropcap/test/vm/wire"
)

// channel is the test's end of the virtio-serial port, over which requests run in parallel. It ends
// with its machine.
type channel struct {
	conn  net.Conn
	write sync.Mutex
	up    chan struct{} // closed when the agent has greeted
	down  chan struct{} // closed when the port has ended

	mu      sync.Mutex
	last    uint64
	waiting map[uint64]chan answer
	err     error // why the port ended; read it after down
}

type answer struct {
	reply wire.Reply
	body  []byte
}

func newChannel(conn net.Conn) *channel {
	c := &channel{conn: conn, up: make(chan struct{}), down: make(chan struct{}),
		waiting: map[uint64]chan answer{}}
	go c.read()
	return c
}

func (c *channel) read() {
	in := bufio.NewReaderSize(c.conn, 64<<10)
	for {
		var a answer
		var err error
		if a.body, err = wire.Read(in, &a.reply); err != nil {
			c.err = err
			close(c.down)
			return
		}
		c.deliver(a)
	}
}

func (c *channel) deliver(a answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.reply.ID == 0 {
		close(c.up)
		return
	}
	if to := c.waiting[a.reply.ID]; to != nil {
		to <- a
		delete(c.waiting, a.reply.ID)
	}
}

// call sends a request and waits for its reply. If ctx ends first, what the request started is
// killed.
func (c *channel) call(ctx context.Context, req wire.Request,
	body []byte) (wire.Reply, []byte, error) {
	reply := make(chan answer, 1)
	c.mu.Lock()
	c.last++
	req.ID = c.last
	c.waiting[req.ID] = reply
	c.mu.Unlock()
	if err := c.send(ctx, req, body); err != nil {
		return wire.Reply{}, nil, err
	}
	select {
	case a := <-reply:
		if a.reply.Error != "" {
			return a.reply, a.body, errors.New(a.reply.Error)
		}
		return a.reply, a.body, nil
	case <-ctx.Done():
		c.abandon(req.ID)
		return wire.Reply{}, nil, ctx.Err()
	case <-c.down:
		return wire.Reply{}, nil, c.off()
	}
}

func (c *channel) off() error { return fmt.Errorf("the machine is off: %w", c.err) }

// end closes the port and waits until all its users know that.
func (c *channel) end() {
	c.conn.Close()
	<-c.down
}

// send gives up with ctx, since a guest that hangs reads nothing. After a partial frame the stream
// is out of step, so the port ends with it.
func (c *channel) send(ctx context.Context, req wire.Request, body []byte) error {
	c.write.Lock()
	defer c.write.Unlock()
	select {
	case <-c.down:
		return c.off()
	default:
	}
	stop := context.AfterFunc(ctx, func() { c.conn.SetWriteDeadline(time.Now()) })
	err := wire.Write(c.conn, req, body)
	if stop() {
		return err
	}
	if err == nil {
		return c.conn.SetWriteDeadline(time.Time{})
	}
	c.conn.Close()
	return errors.Join(context.Cause(ctx), err)
}

func (c *channel) abandon(id uint64) {
	c.mu.Lock()
	delete(c.waiting, id)
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = c.send(ctx, wire.Request{ID: id, Op: wire.Cancel}, nil)
}
