/* Sets a control of a V4L2 device by its name: how the camera test injects faults into the kernel's virtual camera.
 * Usage: vivid_control DEVICE NAME VALUE */
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    int device = open(argv[1], O_RDWR);
    if (device < 0) {
        perror(argv[1]);
        return 1;
    }
    struct v4l2_queryctrl query = {.id = V4L2_CTRL_FLAG_NEXT_CTRL};
    while (ioctl(device, VIDIOC_QUERYCTRL, &query) == 0) {
        if (strcmp((const char *)query.name, argv[2]) == 0) {
            struct v4l2_control control = {.id = query.id, .value = atoi(argv[3])};
            if (ioctl(device, VIDIOC_S_CTRL, &control) == 0) return 0;
            perror(argv[2]);
            return 1;
        }
        query.id |= V4L2_CTRL_FLAG_NEXT_CTRL;
    }
    fprintf(stderr, "%s has no control '%s'\n", argv[1], argv[2]);
    return 1;
}
