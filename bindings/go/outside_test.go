//go:build unix

package nf_test

import (
	"syscall"
	"unsafe"
)

// outside returns memory that is not Go's; the pages of the test are never given back.
func outside(size, align uintptr) unsafe.Pointer {
	b, err := syscall.Mmap(-1, 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil
	}
	return unsafe.Pointer(unsafe.SliceData(b))
}
