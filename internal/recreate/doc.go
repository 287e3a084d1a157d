// Package recreate turns what an engine tells of a container into what makes the same container
// again with other capabilities: the body of POST /containers/create, the networks to connect
// afterwards, and a comparison that proves that nothing else became different.
//
// What the engine told is passed on as raw JSON wherever it can be: a field that this package has
// never heard of is resubmitted too. It does no I/O, and no value of a container's configuration is
// in anything that it says to people, since values may be secrets.
package recreate
