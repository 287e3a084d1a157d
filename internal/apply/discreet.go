package apply

import (
	"errors"

	"dropcap"
	"dropcap/internal/recreate"
)

// discreet is a text of the engine's, or of a program that repeats it, without what a container's
// own configuration hides: an error names the program that could not be started, or the option that
// was not taken.
func (c *change) discreet(text string) string {
	if text == "" {
		return ""
	}
	if c.recipe == nil {
		o, err := c.original()
		if err != nil {
			return text // nothing of it is known, and its state has no texts of its own
		}
		if c.recipe, err = recreate.Read(o); err != nil {
			return text
		}
	}
	for _, other := range c.otherRecipes() {
		text = other.Discreet(text)
	}
	return c.recipe.Discreet(text)
}

// discreetly returns an error with such a text. errors.Is and errors.As see the same error.
func (c *change) discreetly(err error) error {
	if err == nil {
		return nil
	}
	text := c.discreet(err.Error())
	if text == err.Error() {
		return err
	}
	var e *dropcap.Error
	if errors.As(err, &e) {
		return &dropcap.Error{Code: e.Code, Message: text, Hint: c.discreet(e.Hint), Err: err}
	}
	return &discreetError{text, err}
}

type discreetError struct {
	text  string
	cause error
}

func (e *discreetError) Error() string { return e.text }

func (e *discreetError) Unwrap() error { return e.cause }
