package policy

import _ "embed"

// Schema is the JSON Schema (2020-12) of a policy file, for editors and for checks before a file
// reaches a host. What it accepts, Parse may still refuse: duplicate keys, bad patterns, anchors,
// every capability by name.
//
//go:embed schema.json
var Schema []byte
