#include "board.h"

/* Defined in sections.ld. */
extern uint32_t board_data_start[], board_data_end[], board_data_load[], board_bss_start[], board_bss_end[];

_Noreturn void board_start(void)
{
    const uint32_t *from = board_data_load;
    for (uint32_t *to = board_data_start; to < board_data_end; to++)
        *to = *from++;
    for (uint32_t *to = board_bss_start; to < board_bss_end; to++)
        *to = 0;
    board_exit(main());
}

_Noreturn void board_fault(void)
{
    board_write("FAIL a processor fault\n");
    board_exit(3);
}

void board_write(const char *text)
{
    board_semihosting(0x04 /* SYS_WRITE0 */, text);
}

_Noreturn void board_exit(int code)
{
    const uint32_t reason[] = {0x20026 /* ADP_Stopped_ApplicationExit */, (uint32_t)code};
    board_semihosting(0x20 /* SYS_EXIT_EXTENDED */, reason);
    for (;;) {
    }
}
