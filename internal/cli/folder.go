package cli

import (
	"os"

	"dropcap/internal/doctor"
)

// defaultStore is the folder of the store where --store does not name one: DROPCAP_STORE's, else
// the system's.
func defaultStore() string {
	if folder := os.Getenv("DROPCAP_STORE"); folder != "" {
		return folder
	}
	return doctor.DefaultStore
}
