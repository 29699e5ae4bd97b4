// npm install react and the package of ../../clients/js (its README.md says how)
import { useCallback, useRef, useSyncExternalStore } from "react";

/**
 * The newest ticks of these symbols, by symbol. `ticks` is what `connect` returns, made once, outside of all components.
 * The component is drawn again once for all ticks of a frame.
 *
 *   const ticks = connect("https://ticks.example.com");
 *
 *   function Prices({ symbols }) {
 *     const latest = useTicks(ticks, symbols);
 *     return symbols.map((symbol) => {
 *       const { price, state, stale } = latest[symbol] ?? {};
 *       return <p key={symbol} className={stale ? "stale" : state}>{symbol} {price}</p>; // A live symbol may still have an old part.
 *     });
 *   }
 */
export function useTicks(ticks, symbols) {
  const latest = useRef({});
  const key = symbols.join();
  const subscribe = useCallback((changed) => {
    let frame;
    const fresh = {};
    const watch = ticks.watch(key.split(",").filter(Boolean), (tick) => {
      fresh[tick.symbol] = tick;
      frame ??= requestAnimationFrame(() => {
        frame = undefined;
        latest.current = { ...fresh };
        changed();
      });
    });
    return () => {
      cancelAnimationFrame(frame);
      watch.stop();
    };
  }, [ticks, key]);
  return useSyncExternalStore(subscribe, () => latest.current, () => latest.current);
}

/** The state of the connection. */
export function useConnection(ticks) {
  const subscribe = useCallback((changed) => ticks.on("state", changed), [ticks]);
  return useSyncExternalStore(subscribe, () => ticks.state, () => ticks.state);
}
