package evidence

import (
	"dropcap"
	"dropcap/caps"
)

// Recommend returns the smallest declaration that grants the required set: drop ALL, add the rest.
// Names are in the kernel's order.
func Recommend(required caps.Set) dropcap.Recommendation {
	return dropcap.Recommendation{CapDrop: []string{caps.All}, CapAdd: required.Names()}
}

// RecommendCIS returns the smaller step that level cis asks for: dropping NET_RAW alone. It returns
// false if NET_RAW is needed or not held.
func RecommendCIS(w dropcap.WorkloadEvidence) (dropcap.Recommendation, bool) {
	if !w.Unused.Has(caps.NetRaw) {
		return dropcap.Recommendation{}, false
	}
	return dropcap.Recommendation{CapDrop: []string{caps.NetRaw.String()}, CapAdd: []string{}}, true
}
