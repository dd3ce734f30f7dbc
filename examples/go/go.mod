module libnf/examples/go

go 1.21

require libnf/bindings/go v0.0.0

replace libnf/bindings/go => ../../bindings/go
