// Package foreign reads what other hosts wrote. A host of a fleet is not trusted: its documents are
// bounded before anything is made of them, it is known by the name under which it was asked, and a
// verdict that its own findings contradict is not believed. It is pure.
package foreign
