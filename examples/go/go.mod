module libnf/examples/go

go 1.21
