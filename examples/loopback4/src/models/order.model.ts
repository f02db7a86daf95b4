/** What a customer has ordered. */
export interface Order {
  id: number;
  book: string;
  copies: number;
  customer: string;
  shop: string;
}
