/* The clock of the Arm MPS2 with image AN386 (Cortex-M4): CMSDK timer 0 counts down at 25 MHz, 40 ns for each tick. */
#include "board.h"

#define TIMER0(offset) (*(volatile uint32_t *)(0x40000000 + (offset)))

uint32_t board_instructions(void)
{
    static int running;
    if (!running) {
        TIMER0(0x8) = 0xffffffff; /* RELOAD */
        TIMER0(0x4) = 0xffffffff; /* VALUE */
        TIMER0(0x0) = 1;          /* CTRL: enable */
        running = 1;
    }
    return (0xffffffff - TIMER0(0x4)) * 40;
}
