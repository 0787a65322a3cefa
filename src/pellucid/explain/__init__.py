"""What happens inside a network, as plain arrays; `pellucid.view` draws them."""
