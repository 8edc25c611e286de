"""The pass on many machines: Ray Data reads the pictures, one model an actor looks at them."""
