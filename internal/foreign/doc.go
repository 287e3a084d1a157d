// Package foreign reads what other hosts wrote. A host of a fleet is not trusted: its documents are
// bounded before they are decoded, it is identified by the name under which it was asked, and a
// verdict that its own findings contradict is rejected. It is pure.
package foreign
