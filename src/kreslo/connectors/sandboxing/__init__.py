"""What the sandbox CRMs have in common: PHP's habits on the wire, faults on order, the control plane, the board."""
