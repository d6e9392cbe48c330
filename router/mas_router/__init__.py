"""The kernel that clients and workers share: messages, order states, MT5 constants, topology and transports."""
