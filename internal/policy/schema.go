package policy

import _ "embed"

// Schema is the JSON Schema (2020-12) of a policy file, for editors and for checks before a file
// reaches a host. Parse may still refuse what it accepts: duplicate keys, bad patterns, anchors,
// every capability by name.
//
//go:embed schema.json
var Schema []byte
