package cli

import "runtime"

// architecture is what this binary was built for.
const architecture = runtime.GOARCH
