package dropcap

import "dropcap/caps"

// Host is the machine that the engine runs on.
type Host struct {
	// stable: the machine-id, or account/region/instance; empty if unknown
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	Kernel string   `json:"kernel"` // release, as uname -r
	Cgroup string   `json:"cgroup"` // "v1", "v2" or "hybrid"; empty if it cannot be known
	LSM    []string `json:"lsm"`
	Engine Engine   `json:"engine"`
	// what ALL means to this engine; null if it cannot be known
	Grantable *caps.Set `json:"grantable"`
	// GrantableFrom says how Grantable is known: "engine" (read from the engine's process) or
	// "assumed" (by version and kernel).
	GrantableFrom string `json:"grantable_from,omitempty"`
	// Defaults is what this engine grants to a container that declares nothing; null if unknown.
	Defaults *caps.Set `json:"defaults"`
}

// Engine is the container engine as it describes itself (GET /version and /info).
type Engine struct {
	Name     string `json:"name"` // "docker" or "podman"
	Version  string `json:"version"`
	API      string `json:"api"` // the newest API version that it supports
	Rootless bool   `json:"rootless"`
}
