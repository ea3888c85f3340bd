/* The interface between a board and a program. board.c and one file for the processor (cortex-m.c, riscv.c) start the
 * program. For each board (microbit, mps2-an386, virt) one file and one linker script add its clock and its memory. There
 * is no libc. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

/* The program. It returns the exit code of the emulator. */
int main(void);

/* Writes to the standard output of the emulator. */
void board_write(const char *text);
_Noreturn void board_exit(int code);

/* Returns the number of instructions since the first call, modulo 2^32. The emulator runs with -icount shift=0, so that
 * an instruction takes one nanosecond of the board's time. */
uint32_t board_instructions(void);

/* The stack grows down from board_stack_top; below board_stack_end lie .data and .bss. */
extern uint32_t board_stack_end[], board_stack_top[];

/* Between board.c and the processor's file: the first C code that runs, the handler of all faults, and the call of the
 * emulator. */
_Noreturn void board_start(void);
_Noreturn void board_fault(void);
void board_semihosting(uint32_t operation, const void *argument);

#endif
