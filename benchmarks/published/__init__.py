"""The results that are committed below experiments/<paper>/results/, and the tables of the READMEs that are made from them."""
