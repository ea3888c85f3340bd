/* A peer's assertions are off, as in a release. */
#define assert(condition) ((void)0)
