/** Room for long bodies: so many are held at the same time, however many connections there are. */
export interface LongBodies {
  /** Room for one request's. */
  room(): Room;
}

interface Room {
  /** Whether the request's body may be long: there is room, which it then has. */
  take(): boolean;
  /** To be called when the request has ended, whether or not it had room. */
  giveBack(): void;
}

export function createLongBodies(limit: number): LongBodies {
  let held = 0;
  return {
    room() {
      let taken = false;
      return {
        take() {
          if (!taken && held < limit) {
            held++;
            taken = true;
          }
          return taken;
        },
        giveBack() {
          if (taken) held--;
          taken = false;
        },
      };
    },
  };
}
