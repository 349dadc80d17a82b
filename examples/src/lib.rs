//! Nothing: the programs stand beside this folder, one a file.
