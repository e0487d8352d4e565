"""How instructions are carried out, family by family; ``tilevm.plan`` says what a plan is."""
