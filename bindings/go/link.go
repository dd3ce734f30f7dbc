package nf

// Without a tag, pkg-config says where header and library are. With tag nf_static the program holds libnf.a and needs no
// libnf.so where it runs. With tag nf_env, CGO_CFLAGS and CGO_LDFLAGS say all: -I.../include and -L.../build/src -lnf.

// #cgo !nf_env pkg-config: nf
// #cgo nf_static,!nf_env LDFLAGS: -Wl,-Bstatic -lnf -Wl,-Bdynamic -Wl,--as-needed -lz -lstdc++ -lm -lpthread
import "C"
