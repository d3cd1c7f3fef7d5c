"""Local geometry of networks: Jacobians and their norms, Lipschitz bounds, Hessian estimates, spread of gradients."""
