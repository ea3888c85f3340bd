/* A stand-in for the header of the C library, which Debian's compiler for RISC-V lacks. */
void abort(void);
