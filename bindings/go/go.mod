module libnf/bindings/go

go 1.21
