/* The clock of the BBC micro:bit (nRF51822, Cortex-M0): timer 0 counts up at 16 MHz, 62.5 ns for each tick. */
#include "board.h"

#define TIMER0(offset) (*(volatile uint32_t *)(0x40008000 + (offset)))

uint32_t board_instructions(void)
{
    static int running;
    if (!running) {
        TIMER0(0x508) = 3; /* BITMODE: 32 bits */
        TIMER0(0x510) = 0; /* PRESCALER: none */
        TIMER0(0x000) = 1; /* START */
        running = 1;
    }
    TIMER0(0x040) = 1; /* CAPTURE[0] */
    return (uint32_t)((uint64_t)TIMER0(0x540) /* CC[0] */ * 125 / 2);
}
