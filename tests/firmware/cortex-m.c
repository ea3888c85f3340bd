/* Starts Cortex-M0 and M4: the processor reads the initial stack pointer and address from a table at address 0. */
#include "board.h"

__attribute__((section(".start"), used)) static const struct {
    uint32_t *stack;
    void (*reset)(void), (*nmi)(void), (*hard_fault)(void);
} vectors = {board_stack_top, board_start, board_fault, board_fault};

void board_semihosting(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}
