/* A stand-in for Zephyr's header. */
#include "board.h"
#define __weak __attribute__((weak))
#define k_panic() board_fault()
#define CODE_UNREACHABLE __builtin_unreachable()
