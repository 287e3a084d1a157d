package render

import (
	"fmt"
	"io"
	"time"

	"dropcap"
	"dropcap/internal/printable"
)

// SchemaNodes is the schema of FleetNodes' JSON.
const SchemaNodes = "dropcap.nodes/v1"

type nodesDocument struct {
	Schema   string                `json:"schema"`
	Nodes    []nodeRow             `json:"nodes"`
	Failures []dropcap.HostFailure `json:"failures"`
}

type nodeRow struct {
	Host     string `json:"host"` // "account/region/node"
	Name     string `json:"name"`
	Online   bool   `json:"online"`
	Platform string `json:"platform"`
	Version  string `json:"platform_version"`
	Agent    string `json:"agent"`
	Pinged   string `json:"pinged"`  // RFC 3339, UTC; empty if never
	Docker   string `json:"docker"`  // empty if none answers, or it is unknown
	Dropcap  string `json:"dropcap"` // empty if there is none, or it is unknown
	Kernel   string `json:"kernel"`
	Asked    bool   `json:"asked"` // whether the node itself answered
}

// FleetNodes writes the managed nodes, as table or json, with what runs there if hosts, by
// "account/region/node", has the node's answer.
func FleetNodes(w io.Writer, format string, list []dropcap.Node,
	hosts map[string]dropcap.ReceiptHost, failures []dropcap.HostFailure, o Options) error {
	if err := CheckFleetFormat("ls", format); err != nil {
		return err
	}
	doc := nodesDocument{Schema: SchemaNodes, Nodes: []nodeRow{}, Failures: listed(failures)}
	for _, n := range list {
		r, asked := hosts[n.Host()]
		doc.Nodes = append(doc.Nodes, nodeRow{
			Host: n.Host(), Name: n.Name, Online: n.Online, Platform: orWord(n.PlatformName,
				n.Platform), Version: n.PlatformVersion, Agent: n.Agent,
			Pinged: stamp(n.Pinged), Docker: r.Docker, Dropcap: r.Dropcap, Kernel: r.Kernel,
			Asked: asked,
		})
	}
	if format == "json" {
		return JSON(w, doc)
	}
	g := grid{columns: []column{nodeColumn, {"NAME", 12}, {"ONLINE", 0}, {"PLATFORM", 12},
		{"AGENT", 0}, {"DOCKER", 0}, {"DROPCAP", 0}}}
	online, ready := 0, 0
	for _, n := range doc.Nodes {
		state := cell{"no", yellow}
		if n.Online {
			state = cell{"yes", green}
			online++
		}
		if n.Docker != "" && n.Dropcap != "" {
			ready++
		}
		g.add(nodeCell(n.Host, o), cell{orDash(n.Name), plain}, state,
			cell{n.Platform + " " + n.Version, plain}, cell{orDash(n.Agent), plain},
			cell{versionOf(n.Docker, n.Asked), plain}, cell{versionOf(n.Dropcap, n.Asked), plain})
	}
	text := printable.Count(len(list), "node") + ": " + fmt.Sprintf("%d online", online)
	if len(hosts) > 0 {
		text += fmt.Sprintf(", %d with Docker and dropcap", ready)
	}
	return writeFleetGrid(w, g, text, failures, o)
}

// versionOf returns a version, "none", or "?" if the node was not asked.
func versionOf(version string, asked bool) string {
	switch {
	case version != "":
		return version
	case asked:
		return "none"
	}
	return "?"
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
