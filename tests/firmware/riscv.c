/* Starts RISC-V: the processor begins at the first byte of RAM without a stack. */
#include "board.h"

__attribute__((section(".start"), naked, used)) static void start(void)
{
    __asm__ volatile("la sp, board_stack_top\n"
                     "la t0, trap\n"
                     "csrw mtvec, t0\n"
                     "j board_start\n");
}

__attribute__((aligned(4), used)) static void trap(void)
{
    board_fault();
}

void board_semihosting(uint32_t operation, const void *argument)
{
    register uint32_t a0 __asm__("a0") = operation;
    register const void *a1 __asm__("a1") = argument;
    /* These three instructions are the signal. They must be in one page and uncompressed. */
    __asm__ volatile(".option push\n"
                     ".option norvc\n"
                     ".balign 16\n"
                     "slli zero, zero, 0x1f\n"
                     "ebreak\n"
                     "srai zero, zero, 7\n"
                     ".option pop\n"
                     : "+r"(a0)
                     : "r"(a1)
                     : "memory");
}
