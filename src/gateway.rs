//! Wires the stages of a configured gateway, runs them, and stops them in order. It decides nothing.
