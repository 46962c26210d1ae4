module stillpoint/clients/go-filter

go 1.26

require github.com/hashicorp/go-bexpr v0.1.2
