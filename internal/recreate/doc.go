// Package recreate turns an engine's description of a container into the requests that re-create it
// with other capabilities: the body of POST /containers/create, the networks to connect afterwards,
// and a comparison that proves that nothing else has changed.
//
// The engine's answers are passed on as raw JSON where possible, so that fields unknown to this
// package are resubmitted, too. It does no I/O, and no text for people has a value of a container's
// configuration, since values may be secrets.
package recreate
