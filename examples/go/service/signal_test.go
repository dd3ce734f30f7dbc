package main

import (
	"net"
	"os"
	"testing"
)

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	return l.Addr().String()
}

// interrupt sends SIGINT to this process, as Ctrl-C does.
func interrupt(t *testing.T) {
	t.Helper()
	self, err := os.FindProcess(os.Getpid())
	check(t, err)
	check(t, self.Signal(os.Interrupt))
}
