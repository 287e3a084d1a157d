package recreate

import "dropcap"

// Command is the complete docker run (or create, connect and start) that makes the container with the capabilities of g, for sh. What may be
// a secret stands in the file only, whose contents are given beside; nil if there is nothing to put there.
func (r *Recipe) Command(g dropcap.Grant, file string) (line string, contents []byte) {
	return "", nil
}

// Unsaid lists what docker run has no words for, so that the line of Command does not say it: sentences.
func (r *Recipe) Unsaid() []string { return nil }
